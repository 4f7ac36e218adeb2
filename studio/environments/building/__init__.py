"""Making an image or a virtual environment: the steps, their log, their faults."""
