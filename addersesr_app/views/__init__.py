"""One file a view. Only the GUI thread touches what is here."""
