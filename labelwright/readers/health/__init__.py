"""Formats of hospitals: FHIR, HL7, Open-i, MIMIC-CXR."""
