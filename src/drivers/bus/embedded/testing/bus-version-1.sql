CREATE TABLE topics(
  key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  first_offset INTEGER NOT NULL DEFAULT 1, last_position INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE messages(
  position INTEGER PRIMARY KEY, topic INTEGER NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL,
  timestamp INTEGER NOT NULL, payload TEXT NOT NULL, attributes TEXT NOT NULL
) STRICT;
CREATE INDEX messages_of_topic ON messages(topic, offset, id);
CREATE TABLE subscriptions(
  key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, pattern TEXT NOT NULL, consumer_group TEXT,
  push_url TEXT, max_deliver INTEGER NOT NULL, ack_wait_ms REAL NOT NULL, start_offset INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX subscriptions_of_group ON subscriptions(pattern, consumer_group) WHERE consumer_group IS NOT NULL;
CREATE TABLE cursors(
  subscription INTEGER NOT NULL, topic INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY(subscription, topic)
) STRICT, WITHOUT ROWID;
CREATE TABLE unsettled(
  subscription INTEGER NOT NULL, position INTEGER NOT NULL, deliveries INTEGER NOT NULL, attempt INTEGER NOT NULL,
  not_before INTEGER, delay_ms REAL,
  PRIMARY KEY(subscription, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters(
  key INTEGER PRIMARY KEY AUTOINCREMENT, subscription INTEGER NOT NULL, position INTEGER NOT NULL,
  topic INTEGER NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL, timestamp INTEGER NOT NULL,
  payload TEXT NOT NULL, attributes TEXT NOT NULL, deliveries INTEGER NOT NULL, attempt INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letters_of_subscription ON dead_letters(subscription);
INSERT INTO topics VALUES (1, 'a', 1, 0);
INSERT INTO topics VALUES (2, 'b', 1, 0);
INSERT INTO messages VALUES (1, 1, 1, 'a0', 1795666179052, '"a0"', '{}');
INSERT INTO messages VALUES (2, 1, 2, 'a1', 1795666179120, '"a1"', '{}');
INSERT INTO messages VALUES (3, 2, 1, 'b1', 1795666179177, '"b1"', '{}');
INSERT INTO messages VALUES (4, 1, 3, 'a2', 1795666179181, '"a2"', '{}');
INSERT INTO messages VALUES (5, 2, 2, 'b2', 1795666179188, '"b2"', '{}');
INSERT INTO subscriptions VALUES (1, '01a2160b-7402-7602-b79c-6f7c86e39493', '>', NULL, NULL, 5, 30000, 1);
INSERT INTO subscriptions VALUES (2, '01a2160b-741d-7fd5-8d89-d1368d7e1628', 'a', NULL, NULL, 5, 30000, 1);
INSERT INTO subscriptions VALUES (3, '01a2160b-741e-7c2e-92c3-983aeb1e1f5f', 'a', 'g', NULL, 5, 30000, 1);
INSERT INTO cursors VALUES (1, 1, 3);
INSERT INTO cursors VALUES (2, 1, 3);
INSERT INTO cursors VALUES (3, 1, 2);
PRAGMA user_version = 1;
