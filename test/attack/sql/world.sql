-- The database in which statements are judged: a few plain tables, and traps. Whatever is called "touch…" writes a row
-- when it is reached, by whatever way.
create table users (id int, name text);
insert into users values (1, 'ada'), (2, 'bob');
create table orders (id int, user_id int, total int);
insert into orders values (1, 1, 10), (2, 2, 20), (3, 2, 5);
create table t (id int primary key default 11);
insert into t values (1);
create sequence s;
create type mood as enum ('ok', 'bad');
create table moods (mood mood);
insert into moods values ('ok');
create table touched (n int);
create function touch() returns int language plpgsql volatile as
  $f$ begin insert into touched values (1); return 1; end $f$;
create function touch_one(n int) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_text(text) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_default(n int default touch()) returns int language plpgsql as $f$ begin return n; end $f$;
create function all_touch(variadic int[]) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_rows() returns setof int language plpgsql volatile as
  $f$ begin return next touch(); return next 2; end $f$;
create function touch_sql() returns int language sql volatile as 'insert into touched values (1) returning n';
create function touch_dynamic(text) returns int language plpgsql volatile as $f$ begin execute $1; return 1; end $f$;
create function touch_definer() returns int language plpgsql security definer as $f$ begin return touch(); end $f$;
create function touch_strict(int) returns int language plpgsql strict as $f$ begin return touch(); end $f$;
-- Their labels are lies, which the server believes.
create function touch_immutable() returns int language plpgsql immutable as
  $f$ begin perform set_config('search_path', 'evil', false); return 1; end $f$;
create function touch_stable() returns int language plpgsql stable as
  $f$ begin perform nextval('s'); return 1; end $f$;
create function touch_array(int[]) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_any(anyelement) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_record(record) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_users(users) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_out(in i int, out n int, out m int) language plpgsql volatile as
  $f$ begin n := touch(); m := 2; end $f$;
create procedure touch_procedure() language plpgsql as $f$ begin perform touch(); end $f$;
create function touch_step(state int, value int) returns int language plpgsql volatile as
  $f$ begin return touch(); end $f$;
create aggregate touch_sum(int) (sfunc = touch_step, stype = int, initcond = '0');
create function touch_two(int, int) returns int language plpgsql volatile as $f$ begin return touch(); end $f$;
create function touch_test(int, int) returns boolean language plpgsql volatile as
  $f$ begin return touch() = 1; end $f$;
create operator =#= (leftarg = int, rightarg = int, function = touch_two);
create operator =#= (rightarg = int, function = touch_one);
create operator =#? (leftarg = int, rightarg = int, function = touch_test);
create domain touchy as int check (touch() = 1);
create type touchy_row as (n touchy);
create function touch_row() returns touchy_row language plpgsql volatile as $f$ begin return row(touch()); end $f$;
create table touchy_table (n touchy);
insert into touchy_table values (1);
create type touchy_range as range (subtype = touchy);
create view touch_view as select touch() as n;
create materialized view mv as select id from users;
create index i on users (id);
select lo_create(7777);
delete from touched;
