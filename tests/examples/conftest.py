"""The scripts here are read and run by a test, not collected."""

collect_ignore = ["pytorch_scripts"]
