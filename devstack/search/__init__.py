"""A small search engine that speaks the part of Elasticsearch's HTTP interface from which an index is exported."""
