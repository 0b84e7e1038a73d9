-- The tables of the demo's platform (a federated learning network), as the demo creates them through the proxy and the
-- oracle tests in one plain PostgreSQL too. Every primary key holds the columns that place the row (demo-cluster.toml),
-- foreign keys carry the tenant or lead to the reference table, and ids are uuids or given bigints, never sequences.

CREATE TABLE tenants (
  id          uuid PRIMARY KEY,
  name        text NOT NULL UNIQUE,
  region      text NOT NULL,
  plan        text NOT NULL,
  seats       integer NOT NULL,
  created_at  timestamptz NOT NULL
);

CREATE TABLE users (
  tenant_id     uuid NOT NULL REFERENCES tenants (id),
  id            uuid NOT NULL,
  username      text NOT NULL,
  email         text NOT NULL,
  display_name  text,
  is_admin      boolean NOT NULL DEFAULT false,
  followers     integer NOT NULL DEFAULT 0,
  reputation    numeric(10, 2) NOT NULL DEFAULT 0,
  born_on       date,
  created_at    timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, username)
);

CREATE TABLE federation_identities (
  tenant_id    uuid NOT NULL,
  id           uuid NOT NULL,
  user_id      uuid NOT NULL,
  provider     text NOT NULL,
  subject      text NOT NULL,
  fingerprint  bytea NOT NULL,
  linked_at    timestamp NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE activities (
  published_at  timestamptz NOT NULL,
  tenant_id     uuid NOT NULL,
  id            uuid NOT NULL,
  actor_id      uuid NOT NULL,
  kind          text NOT NULL,
  summary       text,
  likes         integer NOT NULL,
  score         numeric(8, 3) NOT NULL,
  duration      double precision,
  payload       jsonb,
  PRIMARY KEY (published_at, tenant_id, id)
);
CREATE INDEX activities_tenant ON activities (tenant_id, published_at DESC);

CREATE TABLE content (
  region        text NOT NULL,
  id            bigint NOT NULL,
  tenant_id     uuid NOT NULL,
  title         text NOT NULL,
  language      text NOT NULL,
  status        text NOT NULL,
  tags          text[] NOT NULL,
  views         bigint NOT NULL,
  rating        numeric(4, 2),
  published_on  date,
  PRIMARY KEY (region, id)
);

CREATE TABLE courses (
  tenant_id  uuid NOT NULL REFERENCES tenants (id),
  id         uuid NOT NULL,
  title      text NOT NULL,
  level      smallint NOT NULL,
  price      numeric(10, 2) NOT NULL,
  starts_on  date NOT NULL,
  capacity   integer NOT NULL,
  PRIMARY KEY (tenant_id, id)
);

CREATE TABLE enrollments (
  tenant_id    uuid NOT NULL,
  course_id    uuid NOT NULL,
  user_id      uuid NOT NULL,
  enrolled_at  timestamptz NOT NULL,
  progress     real NOT NULL,
  grade        smallint,
  PRIMARY KEY (tenant_id, course_id, user_id),
  FOREIGN KEY (tenant_id, course_id) REFERENCES courses (tenant_id, id)
);

CREATE TABLE jobs (
  id          bigint PRIMARY KEY,
  name        text NOT NULL,
  state       text NOT NULL,
  run_at      timestamptz NOT NULL
);
