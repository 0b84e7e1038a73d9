#!/usr/bin/perl
# DBD::Pg through the proxy: placeholders, prepared statements of the server and not, asynchronous queries with cancel, COPY,
# cursors, LISTEN, savepoints, large objects, several clients. The connection comes from libpq's environment variables.
use strict;
use warnings;
use DBI;
use DBD::Pg qw(:async :pg_types);

my $sharded = ($ENV{PGWEIR_TEST_MODE} // 'plain') eq 'sharded';
my $pinned  = '0b9c1c1e-0000-4000-8000-000000000001';
my $clients = 24;    # more than the pool's size in every configuration of the tests
my @regions = qw(eu us museum);

sub text_of { join '|', map { !defined $_ ? 'NULL' : ref $_ ? '[' . text_of(@$_) . ']' : $_ } @_ }

sub expect {
    my ($what, $expected, $actual) = map { ref $_ ? text_of(@$_) : $_ // 'NULL' } @_;
    die "FAILED: $what: expected " . substr($expected, 0, 300) . ', got ' . substr($actual, 0, 300) . "\n" if $expected ne $actual;
    print "ok: $what\n";
}

sub expect_state {
    my ($what, $sqlstate, $db, $work) = @_;
    die "FAILED: $what: no error\n" if eval { $work->(); 1 };
    expect $what, $sqlstate, $db->state;
}

sub open_connection { DBI->connect('dbi:Pg:', undef, undef, { RaiseError => 1, PrintError => 0, AutoCommit => 1 }) }

sub values_and_statements {
    my ($db) = @_;
    my @row = $db->selectrow_array('SELECT ?::int, ?::text, ?::numeric, ?::bool, ?::text[]', undef, 7, undef, '1.50', 't', ['a', undef, 'q"']);
    expect 'parameters', [7, undef, '1.50', 1, ['a', undef, 'q"']], \@row;
    my $bytes = $db->prepare('SELECT ?::bytea');
    $bytes->bind_param(1, "\x00\xff", { pg_type => PG_BYTEA });
    $bytes->execute;
    expect 'bytea', "\x00\xff", $bytes->fetchrow_arrayref->[0];
    my $large = 'x' x (5 * 1024 * 1024);
    expect '5 MB parameter and result', 1, ($db->selectrow_array('SELECT ?::text', undef, $large))[0] eq $large ? 1 : 0;
    my $next = $db->prepare('SELECT ?::int + 1', { pg_prepare_now => 1 });
    my @got = map { $next->execute($_); $next->fetchrow_arrayref->[0] } 0 .. 199;
    expect 'a prepared statement', [1 .. 200], \@got;
    my @many = map { $db->prepare("SELECT $_ + ?::int", { pg_prepare_now => 1 }) } 0 .. 119;
    expect 'many of them', [1 .. 120], [map { $_->execute(1); $_->fetchrow_arrayref->[0] } @many];
    @many = ();    # each is deallocated by SQL
    my $direct = $db->prepare('SELECT $1::int + $2::int', { pg_server_prepare => 0 });
    $direct->execute(1, 2);
    expect 'without a prepared statement', 3, $direct->fetchrow_arrayref->[0];
    my $statement = $db->prepare('SELECT 1 / ?::int', { pg_prepare_now => 1 });
    expect_state 'a prepared statement that fails', '22012', $db, sub { $statement->execute(0) };
    $statement->execute(1);
    expect 'the same one again', 1, $statement->fetchrow_arrayref->[0];
    expect_state 'syntax error', '42601', $db, sub { $db->do('SELEC 1') };
}

sub transactions_and_cancel {
    my ($db) = @_;
    $db->begin_work;
    $db->do('SELECT 1');
    $db->pg_savepoint('s');
    expect_state 'an error in a transaction', '22012', $db, sub { $db->do('SELECT 1/0') };
    $db->pg_rollback_to('s');
    expect 'it goes on behind a savepoint', 1, ($db->selectrow_array('SELECT 1'))[0];
    expect_state 'a second error', '22012', $db, sub { $db->do('SELECT 1/0') };
    expect_state 'the transaction is aborted', '25P02', $db, sub { $db->do('SELECT 1') };
    $db->rollback;
    my $own = open_connection();
    my $hint = $sharded ? ' /* pgweir: shard=eu1 */' : '';    # who looks and what is looked for are on the same shard
    my $running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND left(query, 19) = 'SELECT pg_sleep(60)'$hint";
    $db->do("SELECT pg_sleep(60)$hint", { pg_async => PG_ASYNC });
    select undef, undef, undef, 0.02 until ($own->selectrow_array($running))[0] == 1;
    $own->disconnect;
    expect 'it is not ready', 0, $db->pg_ready;
    expect 'cancel', 1, $db->pg_cancel ? 1 : 0;
    expect 'it serves again after a cancel', 3, ($db->selectrow_array('SELECT 3'))[0];
    $db->do('SELECT 5', { pg_async => PG_ASYNC });
    expect 'an asynchronous result', 1, $db->pg_result;
}

sub listen_and_notify {
    my ($db) = @_;
    my $listener = open_connection();
    $listener->do('LISTEN perl_channel');
    $db->do(q{SELECT pg_notify('perl_channel', 'hello')});
    my $note;
    for (1 .. 100) {
        last if $note = $listener->pg_notifies;
        select undef, undef, undef, 0.05;
    }
    expect 'LISTEN and NOTIFY', ['perl_channel', 'hello'], [@{ $note // [] }[0, 2]];
    $listener->disconnect;
}

sub plain {
    my ($db) = @_;
    $db->do('SET client_min_messages = warning');
    $db->do('DROP TABLE IF EXISTS perl_items');
    $db->do('CREATE TABLE perl_items (id int PRIMARY KEY, name text)');
    $db->do('COPY perl_items FROM STDIN');
    $db->pg_putcopydata("$_\tname $_\n") for 0 .. 19_999;
    expect 'COPY in', 1, $db->pg_putcopyend ? 1 : 0;
    $db->do('COPY (SELECT id FROM perl_items ORDER BY id) TO STDOUT');
    my ($line, @ids) = ('');
    while ($db->pg_getcopydata($line) >= 0) { push @ids, $line + 0 }
    expect 'COPY out', [0 .. 19_999], \@ids;
    $db->do('COPY perl_items FROM STDIN');
    $db->pg_putcopydata("x\ty\n");
    expect_state 'COPY that fails', '22P02', $db, sub { $db->pg_putcopyend };
    my $insert = $db->prepare('INSERT INTO perl_items VALUES (?, ?)');
    my $done = $insert->execute_array({ ArrayTupleStatus => \my @status }, [20_000 .. 20_499], [('batch') x 500]);
    expect 'a batch', 500, $done;
    $db->begin_work;
    $db->do('DECLARE c CURSOR FOR SELECT id FROM perl_items ORDER BY id LIMIT 3000');
    @ids = ();
    while (my @part = @{ $db->selectcol_arrayref('FETCH 700 FROM c') }) { push @ids, @part }
    $db->commit;
    expect 'server-side cursor', [0 .. 2999], \@ids;
    $db->begin_work;
    my $oid = $db->pg_lo_creat($db->{pg_INV_WRITE} | $db->{pg_INV_READ});
    my $fd = $db->pg_lo_open($oid, $db->{pg_INV_WRITE} | $db->{pg_INV_READ});
    my $content = 'lo' x 100_000;
    $db->pg_lo_write($fd, $content, length $content);
    $db->pg_lo_lseek($fd, 0, 0);
    $db->pg_lo_read($fd, my $back, 200_000);
    expect 'large object', 1, $back eq $content ? 1 : 0;
    $db->pg_lo_close($fd);
    $db->pg_lo_unlink($oid);
    $db->commit;
    listen_and_notify($db);
    in_processes(sub {
        my ($own, $number, $step) = @_;
        $own->begin_work;
        $own->do('UPDATE perl_items SET name = ? WHERE id = ?', undef, "step $step", $number);
        my ($name) = $own->selectrow_array('SELECT name FROM perl_items WHERE id = ?', undef, $number);
        $own->commit;
        return $name eq "step $step";
    });
    $db->do('DROP TABLE perl_items');
}

sub sharded_tables {
    my ($db) = @_;
    my $mine = 'id BETWEEN 670000000 AND 670000999';
    my $columns = 'region, id, tenant_id, title, language, status, tags, views';
    my $insert = $db->prepare("INSERT INTO content ($columns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    $insert->execute($regions[$_ % 3], 670_000_000 + $_, $pinned, "title $_", 'en', 'draft', ['a'], $_) for 0 .. 89;
    $db->do("COPY content ($columns) FROM STDIN");
    $db->pg_putcopydata(join("\t", $regions[$_ % 3], 670_000_000 + $_, $pinned, "title $_", 'en', 'draft', '{}', $_) . "\n") for 90 .. 299;
    $db->pg_putcopyend;
    expect 'INSERT by parameters and COPY', [300, 44_850], [$db->selectrow_array("SELECT count(*), sum(views) FROM content WHERE $mine")];
    expect 'merged order', [299, 298, 297], $db->selectcol_arrayref("SELECT views FROM content WHERE $mine ORDER BY views DESC LIMIT ?", undef, 3);
    expect 'merged groups', [['eu', 100], ['museum', 100], ['us', 100]],
        $db->selectall_arrayref("SELECT region, count(*) FROM content WHERE $mine GROUP BY region ORDER BY region");
    $db->begin_work;
    $db->do('DELETE FROM content WHERE region = ? AND id = ?', undef, 'eu', 670_000_000);
    $db->rollback;
    expect 'rollback on one shard', 1, ($db->selectrow_array('SELECT count(*) FROM content WHERE region = ? AND id = ?', undef, 'eu', 670_000_000))[0];
    expect 'delete on all shards', 300, $db->do("DELETE FROM content WHERE $mine");
    in_processes(sub {
        my ($own) = @_;
        my @got = @{ $own->selectcol_arrayref('SELECT DISTINCT tenant_id FROM users WHERE tenant_id = ?', undef, $pinned) };
        return "@got" eq '' || "@got" eq $pinned;
    });
}

# Each client is a process of its own; its exit code says whether it saw only its own rows.
sub in_processes {
    my ($work) = @_;
    my @children;
    for my $number (0 .. $clients - 1) {
        my $child = fork // die "fork: $!";
        if (!$child) {
            my $fine = eval {
                my $own = open_connection();
                for my $step (0 .. 19) { $work->($own, $number, $step) or die "not my write\n" }
                $own->disconnect;
                1;
            };
            print STDERR "client $number: $@" if !$fine;
            exit($fine ? 0 : 1);
        }
        push @children, $child;
    }
    my $failed = 0;
    for (@children) { waitpid $_, 0; $failed++ if $? }
    expect "$clients clients", 0, $failed;
}

my $db = open_connection();
$db->{AutoInactiveDestroy} = 1;    # the children leave it alone
values_and_statements($db);
transactions_and_cancel($db);
$sharded ? sharded_tables($db) : plain($db);
$db->disconnect;
print "DBD::Pg: all ok\n";
