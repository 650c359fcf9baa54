/** Tables of `journal.db`. A change needs a new number in `user_version` and a step that lifts older files. */
export const schemaVersion = 1;

export const schema = `
CREATE TABLE agent (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  run TEXT NOT NULL,
  startedAt TEXT NOT NULL,
  newestEpoch INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO agent (one, run, startedAt) VALUES (1, '', '');

-- One row per live session, and one named '' for the presence queue.
CREATE TABLE scopes (
  scope TEXT PRIMARY KEY,
  run TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  previousRun TEXT,
  previousLast INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  sessionId TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('opening', 'open', 'closed')),
  directory TEXT NOT NULL,
  worker TEXT,
  touchedAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
  commandId TEXT PRIMARY KEY,
  sessionId TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  commandHash TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('received', 'cancelled-before', 'spawned', 'started', 'ended')),
  request TEXT,
  executor TEXT,
  receivedAt TEXT NOT NULL,
  startUntil TEXT NOT NULL,
  result TEXT
) STRICT;
CREATE INDEX commandsOfSession ON commands (sessionId, state);

CREATE TABLE spool (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL,
  messageId TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
CREATE INDEX spoolOfScope ON spool (scope, position);
`;
