"""Further files of a finished result folder: Parquet, OMOP and FHIR."""
