"""What is looked for in the rows before anything is learned from them: one file a kind of finding."""
