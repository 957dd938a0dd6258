create table if not exists product (name text primary key, price numeric);
insert into product values ('tea', 3.20), ('coffee', 4.50) on conflict do nothing;
