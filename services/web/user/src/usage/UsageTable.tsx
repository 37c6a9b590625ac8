import { Table } from '@mantine/core';
import { Count, Money, type UsageRow } from '@llm-platform/shared';
import { sum } from './usage';
import classes from './UsageTable.module.css';

const TITLES: Record<string, string> = { model: 'Model', key: 'Key', day: 'Day' };

interface UsageTableProps {
  rows: readonly UsageRow[];
  group: string;
  nameOf: (row: UsageRow) => string;
}

/** Each group with its sums, and the sum of all. */
export function UsageTable({ rows, group, nameOf }: UsageTableProps) {
  const tokens = (name: 'input_tokens' | 'cached_input_tokens' | 'output_tokens') =>
    rows.reduce((all, row) => all + BigInt(row.usage?.[name] ?? 0), 0n);
  return (
    <Table.ScrollContainer minWidth={620} type="native" tabIndex={0}>
      <Table aria-label="Usage" className={classes.table!}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{TITLES[group]}</Table.Th>
            <Table.Th>Requests</Table.Th>
            <Table.Th>Input tokens</Table.Th>
            <Table.Th>of it cached</Table.Th>
            <Table.Th>Output tokens</Table.Th>
            <Table.Th>Cost</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(row => (
            <Table.Tr key={nameOf(row) + row.key_id}>
              <Table.Td>{nameOf(row)}</Table.Td>
              <Table.Td>
                <Count of={row.requests} />
              </Table.Td>
              <Table.Td>
                <Count of={row.usage?.input_tokens ?? '0'} />
              </Table.Td>
              <Table.Td>
                <Count of={row.usage?.cached_input_tokens ?? '0'} />
              </Table.Td>
              <Table.Td>
                <Count of={row.usage?.output_tokens ?? '0'} />
              </Table.Td>
              <Table.Td>
                <Money amount={row.cost} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
        <Table.Tfoot>
          <Table.Tr>
            <Table.Th>Together</Table.Th>
            <Table.Th>
              <Count of={sum(rows, 'requests')} />
            </Table.Th>
            <Table.Th>
              <Count of={tokens('input_tokens')} />
            </Table.Th>
            <Table.Th>
              <Count of={tokens('cached_input_tokens')} />
            </Table.Th>
            <Table.Th>
              <Count of={tokens('output_tokens')} />
            </Table.Th>
            <Table.Th>
              <Money amount={sum(rows, 'cost')} />
            </Table.Th>
          </Table.Tr>
        </Table.Tfoot>
      </Table>
    </Table.ScrollContainer>
  );
}
