"""Documents, each a report or several: PDF, scans, DOCX, Markdown , RTF, HTML."""
