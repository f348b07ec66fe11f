import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { hub } from "./hub";
import "./style.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
void hub.start();
