"""What the rows are like, before anything is trained on them: one file a check, in checks/."""
