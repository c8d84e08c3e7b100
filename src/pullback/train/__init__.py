"""Training, written out once: settings, recipes, the loop, the run folder, the test report."""
