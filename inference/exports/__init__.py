"""Further output files: Parquet, OMOP, FHIR, BRAT, GGUF."""
