"""Discharge letters that nobody wrote about nobody, with the value and place of every field."""
