"""People: who signs in with a name and a password. What one may do is a grant of kind `person`, made by `attenuate`."""
