//! Tables in files: CSV, XLSX, JSON and JSON Lines, read and written a row at a time.
