// What of a PostgreSQL is looked at before and after a statement.

/** Functions of the observer, in a schema of their own. */
export const OBSERVER = `
  create schema observer;
  create function observer.contents() returns text language plpgsql as $f$
    declare relation regclass; content text; result text := '';
    begin
      for relation in select oid::regclass from pg_catalog.pg_class
          where relkind in ('r', 'S', 'm') and relnamespace not in
            (select oid from pg_catalog.pg_namespace where nspname in ('pg_catalog', 'information_schema', 'pg_toast'))
          order by relname loop
        execute pg_catalog.format('select pg_catalog.string_agg(x::text, '','' order by x::text) from (select * from %s) x', relation)
          into content;
        result := result || relation || ':' || coalesce(content, '') || ';';
      end loop;
      return result;
    end $f$;
  create function observer.catalogue() returns text language plpgsql as $f$
    declare relation regclass; n bigint; result text := '';
    begin
      for relation in select oid::regclass from pg_catalog.pg_class
          where relkind = 'r' and relnamespace = 'pg_catalog'::regnamespace and relname <> 'pg_statistic'
          order by relname loop
        execute pg_catalog.format('select count(*) from %s', relation) into n;
        result := result || relation || ':' || n || ';';
      end loop;
      return result;
    end $f$;
  create function observer.held() returns text[] language sql as $f$
    select pg_catalog.array_remove(array[
      case when pg_catalog.pg_current_xact_id_if_assigned() is not null then 'xid in the transaction' end,
      (select 'lock ' || pg_catalog.string_agg(distinct locktype || ' ' || mode, ', ') from pg_catalog.pg_locks
        where mode <> 'AccessShareLock' and locktype <> 'virtualxid')], null)
  $f$;
`;

/**
 * One row; a column that differs afterwards is an effect. Runs on any search path. A write to a table or a catalogue takes a
 * transaction id; what takes none has a column of its own.
 */
export const SNAPSHOT = `select
  pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text as xid,
  pg_catalog.pg_current_wal_insert_lsn()::text as wal,
  pg_catalog.random()::text as random,
  observer.contents() as contents,
  (select pg_catalog.string_agg(name || '=' || setting || '/' || source, ';' order by name) from pg_catalog.pg_settings
    where name not in ('transaction_isolation', 'transaction_deferrable', 'in_hot_standby')) as settings,
  pg_catalog.current_setting('app.tenant', true) as tenant,
  current_user || '/' || session_user as identity,
  (select pg_catalog.string_agg(locktype || mode || classid || objid, ';' order by objid) from pg_catalog.pg_locks
    where locktype = 'advisory') as advisory,
  (select pg_catalog.string_agg(c, ';') from pg_catalog.pg_listening_channels() c) as listening,
  (select pg_catalog.string_agg(statement, ';') from pg_catalog.pg_prepared_statements
    where statement not like '%observer%') as prepared,
  (select pg_catalog.string_agg(name, ';') from pg_catalog.pg_cursors where name <> '') as cursors,
  (select pg_catalog.string_agg(loid || ':' || data::text, ';' order by loid) from pg_catalog.pg_largeobject) as objects,
  (select pg_catalog.string_agg(stats_reset::text, ';') from pg_catalog.pg_stat_database) as statistics,
  (select pg_catalog.string_agg(f, ';' order by f) from pg_catalog.pg_ls_dir('.') f) as directory,
  (select pg_catalog.string_agg(f, ';' order by f) from pg_catalog.pg_ls_dir('/tmp') f) as files`;

export const RESET = `
  do $r$ declare item text; begin
    for item in select nspname from pg_catalog.pg_namespace
        where nspname not like 'pg\\_%' and nspname not in ('information_schema', 'observer') loop
      execute pg_catalog.format('drop schema %I cascade', item);
    end loop;
    for item in select oid::text from pg_catalog.pg_largeobject_metadata loop
      perform pg_catalog.lo_unlink(item::oid);
    end loop;
  end $r$;
  create schema public;`;
