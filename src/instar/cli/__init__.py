"""The roof: the command line. Commands speak to a hub through `client`; `start` loads the server, lazily."""
