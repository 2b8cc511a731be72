-- What a customer has; refers to plan.
CREATE TABLE service (plan_id UUID NOT NULL REFERENCES plan (id));
INSERT INTO plan VALUES ('00112233-4455-6677-8899-aabbccddeeff');
INSERT INTO service VALUES ('00112233-4455-6677-8899-aabbccddeeff');
