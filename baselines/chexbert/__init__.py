"""CheXbert's published weights."""
