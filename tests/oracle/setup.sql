-- One small table for each type of key; through the proxy on the sharded side, so every INSERT of several rows is split.

CREATE TABLE by_bigint (k bigint PRIMARY KEY, v text);
INSERT INTO by_bigint (k, v) VALUES (-9223372036854775808, 'least'), (-1, 'minus one'), (0, 'zero'), (1, 'one'),
  (2, 'two'), (7, 'seven'), (42, 'forty-two'), (1000000, 'million'), (4294967296, '2^32'), (9223372036854775807, NULL);

CREATE TABLE by_int (k integer NOT NULL, n integer NOT NULL, v numeric, PRIMARY KEY (k, n));
INSERT INTO by_int VALUES (-5, 1, 1.10), (-5, 2, 1.1), (0, 1, NULL), (0, 2, -0.5), (7, 1, 12345678901234567890.123),
  (7, 2, 0), (7, 3, 0.000), (8, 1, 'NaN'), (9, 1, 3), (10, 1, 1e10), (2147483647, 1, 2), (-2147483648, 1, -2);

CREATE TABLE by_smallint (k smallint PRIMARY KEY, v smallint);
INSERT INTO by_smallint (v, k) VALUES (1, -32768), (2, -11), (3, -10), (4, -1), (5, 0), (6, 9), (7, 10), (8, 32767);

CREATE TABLE by_text (k text PRIMARY KEY, v varchar(10), c char(4));
INSERT INTO by_text VALUES ('', 'empty', 'a'), ('a', 'lower', 'ab'), ('A', 'upper', 'abc'), ('Ä', 'umlaut', 'abcd'),
  ('it''s', 'quote', NULL), ('back\slash', NULL, ''), (' a', 'space', 'x'), ('a ', 'space2', 'y'), ('日本', 'two', 'z');

CREATE TABLE by_bytea (k bytea PRIMARY KEY, v integer);
INSERT INTO by_bytea VALUES ('\x', 0), ('\x00', 1), ('\x0001', 2), ('\xff', 3), ('\x616263', 4), ('\xdeadbeef', 5);

CREATE TABLE by_numeric (k numeric(20, 0) PRIMARY KEY, v double precision);
INSERT INTO by_numeric VALUES (0, 0.5), (1, -0.0), (-1, 1e300), (10, 'Infinity'), (100, '-Infinity'), (1e19, 'NaN'), (12345, NULL);

CREATE TABLE by_date (k date NOT NULL, id integer NOT NULL, v interval, PRIMARY KEY (k, id));
INSERT INTO by_date VALUES ('2024-02-29', 1, '1 day'), ('2024-12-31', 1, '24:00'), ('2025-01-01', 1, '1 mon'),
  ('2025-01-01', 2, '30 days'), ('2025-06-30', 1, NULL), ('2025-07-01', 1, '-1 hour'), ('2025-12-31', 1, '2 years'), ('1999-01-01', 9, '0');

CREATE TABLE by_timestamp (k timestamp NOT NULL PRIMARY KEY, v time);
INSERT INTO by_timestamp VALUES ('2025-06-01 11:59:59.999999', '10:00'), ('2025-06-01 12:00:00', '11:00'),
  ('2020-01-01 00:00:00', NULL), ('2030-01-01 00:00:00', '23:59:59.5'), ('-infinity', '00:00'), ('infinity', '24:00');

CREATE TABLE by_bool (k boolean NOT NULL, id integer NOT NULL, v text, PRIMARY KEY (k, id));
INSERT INTO by_bool VALUES (true, 1, 'a'), (false, 1, 'b'), (true, 2, 'c'), (false, 2, NULL);

CREATE TABLE by_place (region text NOT NULL, tenant_id uuid NOT NULL, day date NOT NULL, n integer NOT NULL, PRIMARY KEY (region, tenant_id, day));
INSERT INTO by_place (region, tenant_id, day, n) VALUES ('eu', '0b9c1c1e-0000-4000-8000-000000000001', '2024-01-01', 1),
  ('eu', '910a2dec-8902-4cc1-aeeb-8da1658eec67', '2025-01-01', 2), ('us', '0b9c1c1e-0000-4000-8000-000000000001', '2024-12-31', 3),
  ('us', '0b9c1c1e-0000-4000-8000-000000000001', '2025-01-01', 4), ('us', '910a2dec-8902-4cc1-aeeb-8da1658eec67', '2024-12-31', 5),
  ('us', '910a2dec-8902-4cc1-aeeb-8da1658eec67', '2025-01-01', 6), ('us', 'f893a2ee-fb32-455e-a1c1-8690ee42c90b', '2024-12-31', 7),
  ('us', 'f893a2ee-fb32-455e-a1c1-8690ee42c90b', '2025-01-01', 8), ('us', '71bb54d8-d101-45b9-a34d-0bff90150280', '2024-06-01', 9),
  ('us', '71bb54d8-d101-45b9-a34d-0bff90150280', '2025-06-01', 10), ('asia', '71bb54d8-d101-45b9-a34d-0bff90150280', '2025-06-01', 11),
  ('', '71bb54d8-d101-45b9-a34d-0bff90150280', '2024-06-01', 12);
