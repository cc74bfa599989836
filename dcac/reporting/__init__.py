"""Records of scores, and the tables, figures and pages made of records, logs and measurements."""
