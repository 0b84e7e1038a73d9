// pgjdbc through the proxy: server-prepared statements, batches, fetch size, COPY, LISTEN, cancel. Run as a single-file source:
//   java -cp /usr/share/java/postgresql.jar PgjdbcTest.java
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicBoolean;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;

public class PgjdbcTest {
  static final boolean SHARDED = "sharded".equals(System.getenv("PGWEIR_TEST_MODE"));
  static final UUID PINNED = UUID.fromString("0b9c1c1e-0000-4000-8000-000000000001");
  // What is to be cancelled, and whether a server is at it: both on the same shard.
  static final String HINT = SHARDED ? " /* pgweir: shard=eu1 */" : "";
  static final String SLEEP = "SELECT pg_sleep(60)" + HINT;
  static final String RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND left(query, 19) = 'SELECT pg_sleep(60)'" + HINT;
  static final int CLIENTS = 24;  // more than the pool's size in every configuration of the tests

  static void expect(String what, Object expected, Object actual) {
    if (!Objects.equals(expected, actual)) throw new AssertionError(what + ": expected " + expected + ", got " + actual);
    System.out.println("ok: " + what);
  }

  interface Action { void run() throws Exception; }

  static void expectState(String what, String state, Action action) throws Exception {
    try {
      action.run();
    } catch (SQLException error) {
      expect(what, state, error.getSQLState());
      return;
    }
    throw new AssertionError(what + ": no error");
  }

  static String env(String name, String fallback) {
    String value = System.getenv(name);
    return value == null ? fallback : value;
  }

  static Connection connect() throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", env("PGUSER", "app"));
    properties.setProperty("password", env("PGPASSWORD", ""));
    properties.setProperty("sslmode", env("PGSSLMODE", "require"));
    properties.setProperty("prepareThreshold", "3");
    properties.setProperty("gssEncMode", "disable");
    return DriverManager.getConnection(
        "jdbc:postgresql://" + env("PGHOST", "127.0.0.1") + ":" + env("PGPORT", "6432") + "/" + env("PGDATABASE", "fediflow"),
        properties);
  }

  static Object one(Connection connection, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
      try (ResultSet rows = statement.executeQuery()) {
        rows.next();
        return rows.getObject(1);
      }
    }
  }

  static int run(Connection connection, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
      return statement.executeUpdate();
    }
  }

  static void values(Connection connection) throws Exception {
    try (PreparedStatement statement = connection.prepareStatement(
             "SELECT ?::int, ?::text, ?::date, ?::timestamptz, ?::text[], ?::numeric, ?::bytea, ?::uuid")) {
      for (int round = 0; round < 20; round++) {  // from the third on it is a named statement, with binary results
        OffsetDateTime at = OffsetDateTime.parse("2024-02-29T12:30:15.123456Z");
        statement.setInt(1, round);
        statement.setString(2, null);
        statement.setObject(3, LocalDate.of(2024, 2, 29));
        statement.setObject(4, at);
        statement.setArray(5, connection.createArrayOf("text", new String[] {"a", null, "q\""}));
        statement.setBigDecimal(6, new BigDecimal("1.50"));
        statement.setBytes(7, new byte[] {0, -1});
        statement.setObject(8, PINNED);
        try (ResultSet rows = statement.executeQuery()) {
          if (!rows.next() || rows.getInt(1) != round || rows.getString(2) != null
              || !rows.getObject(3, LocalDate.class).equals(LocalDate.of(2024, 2, 29))
              || !rows.getObject(4, OffsetDateTime.class).isEqual(at)
              || !Arrays.equals((String[]) rows.getArray(5).getArray(), new String[] {"a", null, "q\""})
              || !rows.getBigDecimal(6).equals(new BigDecimal("1.50")) || !Arrays.equals(rows.getBytes(7), new byte[] {0, -1})
              || !rows.getObject(8).equals(PINNED)) {
            throw new AssertionError("values, round " + round);
          }
        }
      }
    }
    System.out.println("ok: parameters and results, text and binary, prepared");
    String large = "x".repeat(5 * 1024 * 1024);
    expect("5 MB parameter and result", true, large.equals(one(connection, "SELECT ?::text", large)));
    for (int shape = 0; shape < 120; shape++) {
      for (int round = 0; round < 4; round++) {
        if (!Integer.valueOf(shape + round).equals(one(connection, "SELECT " + shape + " + ?::int", round))) throw new AssertionError("shape");
      }
    }
    System.out.println("ok: many prepared statements");
  }

  static void cancelWhenRunning(Statement statement, AtomicBoolean ended) throws Exception {
    try (Connection own = connect()) {
      while (!ended.get()) {
        if (one(own, RUNNING).equals(1L)) {
          statement.cancel();
          return;
        }
        Thread.sleep(20);
      }
    }
  }

  static void notifications() throws Exception {
    try (Connection listener = connect(); Connection speaker = connect()) {
      run(listener, "LISTEN of_jdbc");
      PGConnection hearing = listener.unwrap(PGConnection.class);
      run(listener, "NOTIFY of_jdbc, 'own'");
      one(speaker, "SELECT pg_notify('of_jdbc', ?)", "from another");
      List<String> heard = new ArrayList<>();
      for (int tries = 0; heard.size() < 2 && tries < 10; tries++) {
        PGNotification[] notes = hearing.getNotifications(1000);
        for (PGNotification note : notes == null ? new PGNotification[0] : notes)
          heard.add((note.getPID() == hearing.getBackendPID()) + " " + note.getName() + " " + note.getParameter());
      }
      expect("LISTEN and NOTIFY", List.of("true of_jdbc own", "false of_jdbc from another"), heard);
      run(listener, "UNLISTEN *");
    }
  }

  static void errors(Connection connection) throws Exception {
    expectState("division by zero", "22012", () -> one(connection, "SELECT 1 / ?::int", 0));
    expect("it serves again", 1, one(connection, "SELECT 1 / ?::int", 1));
    connection.setAutoCommit(false);
    one(connection, "SELECT 1");
    Savepoint savepoint = connection.setSavepoint();
    expectState("inside a transaction", "22012", () -> one(connection, "SELECT 1 / ?::int", 0));
    expectState("the transaction is aborted", "25P02", () -> one(connection, "SELECT 1"));
    connection.rollback(savepoint);
    expect("after the savepoint", 2, one(connection, "SELECT 2"));
    connection.rollback();
    connection.setAutoCommit(true);
    try (Statement statement = connection.createStatement()) {
      AtomicBoolean ended = new AtomicBoolean();
      ExecutorService canceller = Executors.newSingleThreadExecutor();
      Future<?> cancelled = canceller.submit(() -> { cancelWhenRunning(statement, ended); return null; });
      expectState("cancel", "57014", () -> statement.execute(SLEEP));
      ended.set(true);
      cancelled.get();
      canceller.shutdown();
      statement.setQueryTimeout(1);
      expectState("query timeout", "57014", () -> statement.execute("SELECT pg_sleep(60)"));
    }
    expect("it serves again after cancels", 3, one(connection, "SELECT 3"));
  }

  static void concurrently(Action work) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(CLIENTS);
    List<Future<?>> results = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) results.add(threads.submit(() -> { work.run(); return null; }));
    for (Future<?> result : results) result.get();
    threads.shutdown();
    System.out.println("ok: " + CLIENTS + " clients");
  }

  static void plain(Connection connection) throws Exception {
    run(connection, "DROP TABLE IF EXISTS jdbc_items");
    run(connection, "CREATE TABLE jdbc_items (id int PRIMARY KEY, name text)");
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO jdbc_items VALUES (?, ?)")) {
      for (int i = 0; i < 3000; i++) {
        statement.setInt(1, i);
        statement.setString(2, "name " + i);
        statement.addBatch();
      }
      expect("batch", 3000, statement.executeBatch().length);
    }
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO jdbc_items VALUES (?, 'x')")) {
      for (int i : new int[] {3000, 3001, 3001, 3002}) {
        statement.setInt(1, i);
        statement.addBatch();
      }
      expectState("a batch that fails", "23505", () -> {
        try {
          statement.executeBatch();
        } catch (BatchUpdateException error) {
          throw error.getNextException();
        }
      });
    }
    CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
    run(connection, "DELETE FROM jdbc_items WHERE id >= 3000");
    StringBuilder in = new StringBuilder();
    for (int i = 3000; i < 23000; i++) in.append(i).append("\tcopied\n");
    expect("COPY in", 20000L, copy.copyIn("COPY jdbc_items FROM STDIN", new StringReader(in.toString())));
    StringWriter out = new StringWriter();
    copy.copyOut("COPY (SELECT * FROM jdbc_items WHERE name = 'copied' ORDER BY id) TO STDOUT", out);
    expect("COPY out", true, out.toString().equals(in.toString()));
    connection.setAutoCommit(false);
    run(connection, "DELETE FROM jdbc_items");
    connection.rollback();
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(100);  // a portal with a row limit
      int next = 0;
      try (ResultSet rows = statement.executeQuery("SELECT id FROM jdbc_items ORDER BY id LIMIT 5050")) {
        while (rows.next()) if (rows.getInt(1) != next++) throw new AssertionError("row " + next);
      }
      expect("rollback, then rows through a portal", 5050, next);
    }
    connection.commit();
    connection.setAutoCommit(true);
    concurrently(() -> {
      try (Connection own = connect()) {
        own.setAutoCommit(false);
        int id = ThreadLocalRandom.current().nextInt(3000);
        for (int step = 0; step < 10; step++) {
          run(own, "UPDATE jdbc_items SET name = ? WHERE id = ?", "step " + step, id);
          if (!("step " + step).equals(one(own, "SELECT name FROM jdbc_items WHERE id = ?", id))) throw new AssertionError("not my write");
          own.commit();
        }
      }
    });
    run(connection, "DROP TABLE jdbc_items");
  }

  static void sharded(Connection connection) throws Exception {
    String mine = "id BETWEEN 650000000 AND 650000999";
    String insert = "INSERT INTO content (region, id, tenant_id, title, language, status, tags, views) VALUES (?, ?, ?, 't', 'en', 'draft', '{}', ?)";
    String[] regions = {"eu", "us", "museum"};
    for (int i = 0; i < 90; i++) run(connection, insert, regions[i % 3], 650000000L + i, PINNED, (long) i);
    // A batch is one pipeline and so one transaction: all its rows are on one shard.
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      for (int i = 90; i < 300; i++) {
        statement.setString(1, "eu");
        statement.setLong(2, 650000000L + i);
        statement.setObject(3, PINNED);
        statement.setLong(4, i);
        statement.addBatch();
      }
      expect("a batch on one shard", 210, statement.executeBatch().length);
    }
    expect("scatter count", 300L, one(connection, "SELECT count(*) FROM content WHERE " + mine));
    expect("scatter sum", new BigDecimal(44850), one(connection, "SELECT sum(views) FROM content WHERE " + mine));
    expect("merged order", 650000299L, one(connection, "SELECT id FROM content WHERE " + mine + " ORDER BY id DESC LIMIT 1"));
    expect("merged groups", "eu", one(connection, "SELECT region FROM content WHERE " + mine + " GROUP BY region ORDER BY count(*) DESC, region LIMIT 1"));
    expect("one tenant", true, (Long) one(connection, "SELECT count(*) FROM users WHERE tenant_id = ?", PINNED) >= 0);
    connection.setAutoCommit(false);
    run(connection, "DELETE FROM content WHERE region = ? AND id = ?", "eu", 650000000L);
    connection.rollback();
    connection.setAutoCommit(true);
    expect("rollback on one shard", 1L, one(connection, "SELECT count(*) FROM content WHERE region = ? AND id = ?", "eu", 650000000L));
    CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder in = new StringBuilder();
    for (int i = 300; i < 600; i++) in.append(regions[i % 3]).append('\t').append(650000000 + i).append('\t').append(PINNED).append("\tt\ten\tdraft\t{}\t0\n");
    expect("COPY to three shards", 300L, copy.copyIn("COPY content (region, id, tenant_id, title, language, status, tags, views) FROM STDIN", new StringReader(in.toString())));
    expect("delete on all shards", 600, run(connection, "DELETE FROM content WHERE " + mine));
    concurrently(() -> {
      try (Connection own = connect()) {
        for (int step = 0; step < 10; step++) {
          Object tenants = one(own, "SELECT count(DISTINCT tenant_id) FROM users WHERE tenant_id = ?", PINNED);
          if ((Long) tenants > 1) throw new AssertionError("another tenant's rows");
        }
      }
    });
  }

  public static void main(String[] arguments) throws Exception {
    try (Connection connection = connect()) {
      if (SHARDED) one(connection, "SELECT 1");
      values(connection);
      errors(connection);
      notifications();
      if (SHARDED) sharded(connection); else plain(connection);
    }
    System.out.println("pgjdbc: all ok");
  }
}
