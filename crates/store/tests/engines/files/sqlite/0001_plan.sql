-- What is sold; it's a list.
CREATE TABLE plan (id BLOB PRIMARY KEY);
