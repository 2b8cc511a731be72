-- What a customer has; refers to plan.
CREATE TABLE service (plan_id BLOB NOT NULL REFERENCES plan (id));
INSERT INTO plan VALUES (x'00112233445566778899aabbccddeeff');
INSERT INTO service VALUES (x'00112233445566778899aabbccddeeff');
