"""Do lips and sound belong together? SyncNet, small and public."""
