"""The command `pullback`: one file for each verb."""
