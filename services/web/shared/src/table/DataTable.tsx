import { Button, Skeleton, Table, TextInput, VisuallyHidden } from '@mantine/core';
import { Search } from 'lucide-react';
import type { ReactNode } from 'react';
import { Empty } from '../feedback/Empty';
import { Failure } from '../feedback/Failure';
import type { List } from '../query/resource';
import { RowMenu, type RowAction } from './RowMenu';
import classes from './DataTable.module.css';

export interface Column<T> {
  key: string;
  title: ReactNode;
  cell: (row: T) => ReactNode;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** Left out on a phone. */
  wide?: boolean;
}

export interface DataTableProps<T> {
  /** What it lists, for screen readers. */
  label: string;
  columns: readonly Column<T>[];
  list: List<T>;
  rowKey: (row: T) => string;
  /** What can be done with a row; none: no menu. */
  actions?: (row: T) => RowAction[];
  /** Names a row in its menu's label. */
  rowName?: (row: T) => string;
  /** The searched text and how to change it: useSearch. */
  search?: { value: string; onChange: (text: string) => void; placeholder?: string };
  /** Beside the search. */
  filters?: ReactNode;
  /** When there is nothing at all, and nothing was searched. */
  empty?: ReactNode;
}

/** A list as the server pages and searches it, in each of its states. */
export function DataTable<T>(props: DataTableProps<T>) {
  const { label, columns, list, rowKey, actions, rowName, search, filters, empty } = props;
  const nothing = !list.loading && !list.error && list.items.length === 0;
  const untouched = nothing && !search?.value && !list.refreshing;
  return (
    <div className={classes.frame}>
      {(search || filters) && (
        <div className={classes.bar}>
          {search && (
            <TextInput
              className={classes.search!}
              type="search"
              aria-label={search.placeholder ?? 'Search'}
              placeholder={search.placeholder ?? 'Search'}
              leftSection={<Search size={15} />}
              value={search.value}
              onChange={event => search.onChange(event.currentTarget.value)}
            />
          )}
          {filters}
        </div>
      )}
      {list.error && list.items.length === 0 ? (
        <Failure error={list.error} onRetry={list.retry} />
      ) : nothing ? (
        untouched && empty ? (
          empty
        ) : (
          <Empty title="Nothing found">Nothing matches {search?.value ? `"${search.value}"` : 'this'}.</Empty>
        )
      ) : (
        <Table.ScrollContainer minWidth={0} type="native" tabIndex={0}>
          <Table aria-label={label} aria-busy={list.loading || list.refreshing} className={classes.table!}>
            <Table.Thead>
              <Table.Tr>
                {columns.map(column => (
                  <Table.Th key={column.key} data-numeric={column.numeric} data-wide={column.wide}>
                    {column.title}
                  </Table.Th>
                ))}
                {actions && (
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody data-refreshing={list.refreshing || undefined}>
              {list.loading ? (
                <SkeletonRows columns={columns.length + (actions ? 1 : 0)} />
              ) : (
                list.items.map(row => (
                  <Table.Tr key={rowKey(row)}>
                    {columns.map(column => (
                      <Table.Td key={column.key} data-numeric={column.numeric} data-wide={column.wide}>
                        {column.cell(row)}
                      </Table.Td>
                    ))}
                    {actions && (
                      <Table.Td className={classes.actions!}>
                        <RowMenu actions={actions(row)} name={rowName?.(row) ?? rowKey(row)} />
                      </Table.Td>
                    )}
                  </Table.Tr>
                ))
              )}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {list.more && !nothing && (
        <div className={classes.more}>
          <Button variant="subtle" loading={list.loadingMore} onClick={list.loadMore}>
            Load more
          </Button>
        </div>
      )}
    </div>
  );
}

function SkeletonRows({ columns }: { columns: number }) {
  return Array.from({ length: 6 }, (_row, row) => (
    <Table.Tr key={row}>
      {Array.from({ length: columns }, (_column, column) => (
        <Table.Td key={column}>
          <Skeleton height={12} width={column === 0 ? '60%' : '40%'} radius="sm" my={5} />
        </Table.Td>
      ))}
    </Table.Tr>
  ));
}
