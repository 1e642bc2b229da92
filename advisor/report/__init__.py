"""Reports as text: one folder or file for each report, one `render` each; only the command line prints."""
