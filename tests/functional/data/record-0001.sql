BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE counters (
	name TEXT NOT NULL, 
	value INTEGER NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (name)
);
INSERT INTO "counters" VALUES('incident',12);
INSERT INTO "counters" VALUES('execution',7);
CREATE TABLE executions (
	id TEXT NOT NULL, 
	incident TEXT, 
	runbook TEXT NOT NULL, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_executions PRIMARY KEY (id), 
	CONSTRAINT fk_executions_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
INSERT INTO "executions" VALUES('RUN-7','INC-12','restart-web',1763640006.5,NULL,'{"id":"RUN-7","runbook":"restart-web","digest":"d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1","incident":"INC-12","started_at":1763640006.5,"actor":"paramedic","runs":[{"host":"web1","verify":[{"check":"web","subject":"web1"}],"phase":"running","section":"steps","step":0,"attempt":1,"pending":"RUN-7.web1.steps.0.1","registered":{"sound":{"status":"ok","exit":0,"stdout":"syntax is ok","stderr":"","message":"","seconds":0.25}},"rolling_back_because":null,"outcome":null,"reason":"","started_at":null,"phase_since":0.0,"deadline":null,"due":null,"asks":0,"stable_since":null}],"batch":0,"serial":1,"variables":{"grace":"30s","ports":[80,443],"force":false},"outcome":null,"ended_at":null,"held_because":null,"stopped_because":null,"override":null,"due":null}');
CREATE TABLE health (
	check_name TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_health PRIMARY KEY (check_name, subject)
);
INSERT INTO "health" VALUES('web','web1','{"key":{"check":"web","subject":"web1"},"host":"web1","status":2,"since":1763639980.5,"message":"refused","value":0.5,"blind_since":null,"flapping":false,"changes":[1763639600.25,1763639980.5],"scope":""}');
CREATE TABLE incidents (
	id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	phase TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	service TEXT, 
	priority TEXT NOT NULL, 
	category TEXT NOT NULL, 
	team TEXT NOT NULL, 
	opened_at DOUBLE NOT NULL, 
	resolved_at DOUBLE, 
	closed_at DOUBLE, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_incidents PRIMARY KEY (id)
);
INSERT INTO "incidents" VALUES('INC-12',12,'treating','monitoring','shop','P2','service','web-team',1763640000.5,NULL,NULL,'{"id":"INC-12","origin":"monitoring","phase":"treating","title":"web on web1: 连接被拒绝","category":"service","opened_at":1763640000.5,"classification":{"impact":"significant","urgency":"high","priority":"P2","impact_because":"half of the hosts","urgency_because":"the shop is vital","priority_because":"row 2, column 1"},"team":"web-team","cause":"web","service":"shop","symptoms":[{"key":{"check":"web","subject":"web1"},"host":"web1","service":"shop","status":2,"since":1763639980.5,"message":"refused","cleared_at":null,"blind":false}],"ladders":[["web",[{"runbook":"reload-web","digest":"d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"},{"runbook":"restart-web","digest":"d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1"}]]],"attempts":[{"execution":"RUN-6","runbook":"reload-web","outcome":"not recovered","at":1763640005.5}],"execution":"RUN-7","assignee":null,"acknowledged_by":null,"acknowledged_at":null,"reporter":null,"resolved_at":null,"closed_at":null,"reopened":0,"updates":0,"held_because":null,"due":1763640060.5,"ticket":{"id":"77","url":"http://tracker/77"},"previous":null}');
CREATE TABLE runbooks (
	digest TEXT NOT NULL, 
	name TEXT NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT pk_runbooks PRIMARY KEY (digest)
);
INSERT INTO "runbooks" VALUES('d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1','restart-web','runbook: restart-web
');
CREATE TABLE settings (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY (name)
);
INSERT INTO "settings" VALUES('agent_id','dcf5d3c82b46a4a9661807516a4d6ec0');
INSERT INTO "settings" VALUES('freeze','{"reason":"change window","actor":"ada","since":1763640000.5}');
CREATE TABLE steps (
	id TEXT NOT NULL, 
	execution TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	CONSTRAINT pk_steps PRIMARY KEY (id), 
	CONSTRAINT fk_steps_execution FOREIGN KEY(execution) REFERENCES executions (id)
);
INSERT INTO "steps" VALUES('RUN-7.web1.steps.0.1','RUN-7','{"id":"RUN-7.web1.steps.0.1","execution":"RUN-7","incident":"INC-12","host":"web1","local":false,"name":"restart","kind":"run","params":{"run":"systemctl restart nginx","env":{"A":1}},"sudo":true,"timeout":30.0,"repeatable":false}','started',1763640000.5,1763640007.5);
CREATE TABLE ticket_updates (
	"key" TEXT NOT NULL, 
	incident TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	payload TEXT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	not_before DOUBLE NOT NULL, 
	last_error TEXT, 
	queued_at DOUBLE NOT NULL, 
	delivered_at DOUBLE, 
	CONSTRAINT pk_ticket_updates PRIMARY KEY ("key"), 
	CONSTRAINT uq_ticket_updates_incident_number UNIQUE (incident, number), 
	CONSTRAINT fk_ticket_updates_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
INSERT INTO "ticket_updates" VALUES('INC-12/1','INC-12',1,'{"incident":"INC-12","number":1,"milestone":"updated","text":"restarting web1","fields":{"title":"web is down","hosts":["web1"]}}','waiting',0,0.0,NULL,1763640000.5,NULL);
CREATE TABLE timeline (
	seq INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	about TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	text TEXT NOT NULL, 
	data TEXT NOT NULL, 
	prev_hash TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	CONSTRAINT pk_timeline PRIMARY KEY (seq)
);
INSERT INTO "timeline" VALUES(1,1763640000.5,'INC-12','note','ada','reloading 网站','{"step":1}','0000000000000000000000000000000000000000000000000000000000000000','4c4b5b142ede6f886f2264defd3ee50d8654d98150b4cba0568eb803943994a7');
INSERT INTO "timeline" VALUES(2,1763640000.5,'INC-12','note','ada','restarting','{}','4c4b5b142ede6f886f2264defd3ee50d8654d98150b4cba0568eb803943994a7','1ba50dee59d6446319867183651264d632824bf36a0ced5fd7ed84993c3daf3d');
CREATE TABLE treatments (
	execution TEXT NOT NULL, 
	host TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_treatments PRIMARY KEY (execution, host), 
	CONSTRAINT fk_treatments_execution FOREIGN KEY(execution) REFERENCES executions (id)
);
INSERT INTO "treatments" VALUES('RUN-7','web1',1763640006.5,'{"execution":"RUN-7","runbook":"restart-web","host":"web1","at":1763640006.5,"effective":null}');
CREATE INDEX ix_incidents_number ON incidents (number);
CREATE INDEX ix_incidents_closed_at ON incidents (closed_at);
CREATE INDEX ix_incidents_opened_at ON incidents (opened_at);
CREATE INDEX ix_executions_incident ON executions (incident);
CREATE INDEX ix_executions_ended_at ON executions (ended_at);
CREATE INDEX ix_treatments_at ON treatments (at);
CREATE INDEX ix_timeline_about_seq ON timeline (about, seq);
CREATE TRIGGER timeline_refuses_update BEFORE UPDATE ON timeline BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END;
CREATE TRIGGER timeline_refuses_delete BEFORE DELETE ON timeline BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END;
CREATE INDEX ix_steps_state ON steps (state);
CREATE INDEX ix_ticket_updates_state_incident_number ON ticket_updates (state, incident, number);
COMMIT;
