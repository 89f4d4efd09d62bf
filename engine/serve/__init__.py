"""`addersesr serve`: the engine as a process beside the window, what it shows, and the language between the two."""
