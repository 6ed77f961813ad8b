"""Where the images lie on disk, found by what the files say of themselves; how they come there."""
