"""What people see: tables, figures and units."""
