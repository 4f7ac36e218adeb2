"""What people see of runs: home, experiments, the run page with its tabs, comparison, the model registry."""
