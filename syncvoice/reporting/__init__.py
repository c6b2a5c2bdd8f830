"""What people read: tables, plots and the page that plays all rows side by side."""
