"""The table of protocols, and detection. Knows no protocol but through the table."""
