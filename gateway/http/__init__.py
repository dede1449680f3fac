"""The upstream HTTP client behind a seam of one method (`gateway.http.contract`)."""
