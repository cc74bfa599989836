"""Other people's files: networks of hubs, OpenAI, CompVis and the authors' release, read and written."""
