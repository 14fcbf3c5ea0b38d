BEGIN TRANSACTION;
CREATE TABLE account (
        name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, created_ns INTEGER NOT NULL
    , organization TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;
INSERT INTO "account" VALUES('anna','admin','no hash',1700000000000000000,'');
CREATE TABLE alert (
        id INTEGER PRIMARY KEY AUTOINCREMENT, time_ns INTEGER NOT NULL, kind TEXT NOT NULL,
        subject TEXT NOT NULL, text TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0,
        endpoint INTEGER NOT NULL DEFAULT 0, over_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
INSERT INTO "alert" VALUES(1,1700000000000000000,'new-endpoint','1','New endpoint',1,1,0);
INSERT INTO "alert" VALUES(2,1700000000000000000,'sensor-silent','s','Silent',0,0,1700000000000000005);
INSERT INTO "alert" VALUES(3,1700000000000000000,'new-sensitive-field','1 x driving-licence','Sensitive',0,1,0);
CREATE TABLE audit (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
        subject TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT;
INSERT INTO "audit" VALUES(1,1700000000000000000,'anna','accept','GET /orders/{}','');
CREATE TABLE decision (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
        organization TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL,
        host TEXT NOT NULL, method TEXT NOT NULL, place TEXT NOT NULL, detail TEXT NOT NULL,
        undone_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
INSERT INTO "decision" VALUES(1,1700000000000000000,'anna','accept','acme','staging','shop','shop.example','GET','/orders/{}','',0);
INSERT INTO "decision" VALUES(2,1700000000000000000,'anna','rename','acme','staging','shop','shop.example','GET','/orders/{}','/orders/{number}',0);
INSERT INTO "decision" VALUES(3,1700000000000000000,'anna','reject','acme','staging','shop','shop.example','GET','/orders/{}','response-body:200:pass driving-licence',0);
INSERT INTO "decision" VALUES(4,1700000000000000000,'anna','ignore','acme','staging','shop','shop.example','GET','/orders/{}','',1700000000000000001);
CREATE TABLE session (
        digest BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        form_token TEXT NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "session" VALUES(X'73657373696F6E','anna','form',1700000000000000000,1700000001000000000);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "setting" VALUES('alerts since','1');
CREATE TABLE standing (
        organization TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL,
        host TEXT NOT NULL, method TEXT NOT NULL, place TEXT NOT NULL,
        state TEXT NOT NULL, path TEXT NOT NULL,
        PRIMARY KEY (organization, environment, application, host, method, place)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "standing" VALUES('acme','staging','shop','shop.example','GET','/orders/{}','accepted','/orders/{number}');
CREATE TABLE token (
        id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, name TEXT NOT NULL, scope TEXT NOT NULL,
        organization TEXT NOT NULL, created_ns INTEGER NOT NULL, created_by TEXT NOT NULL,
        revoked_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
INSERT INTO "token" VALUES(1,X'746F6B656E','ci','ingest','acme',1700000000000000000,'anna',0);
CREATE TABLE view (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, query TEXT NOT NULL, created_by TEXT NOT NULL,
        created_ns INTEGER NOT NULL, organization TEXT NOT NULL DEFAULT '', UNIQUE (organization, name)
    ) STRICT;
INSERT INTO "view" VALUES(1,'Errors','status=5xx','anna',1700000000000000000,'');
CREATE TABLE webhook (
        id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, kinds TEXT NOT NULL, created_by TEXT NOT NULL,
        created_ns INTEGER NOT NULL, last_status TEXT NOT NULL DEFAULT ''
    ) STRICT;
INSERT INTO "webhook" VALUES(1,'https://hooks.example/1','new-endpoint','anna',1700000000000000000,'');
CREATE INDEX decision_place ON decision (organization, environment, application, host, method);
CREATE UNIQUE INDEX alert_once ON alert (kind, subject) WHERE over_ns = 0;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('alert',3);
COMMIT;
PRAGMA user_version = 3;
