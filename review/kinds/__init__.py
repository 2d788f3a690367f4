"""How values of each task kind are shown, changed and read back; a module per kind."""
