"""MLflow: the real tracking server and model registry."""
