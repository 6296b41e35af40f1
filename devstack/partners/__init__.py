"""The servers of other companies that the platform calls, in one small process: Vidooly's search index, the CRM."""
