import { Count, type Column, type Usage } from '@llm-platform/shared';

/** What went in and what came out, for tables of whatever uses tokens. */
export function tokenColumns<T extends { usage?: Usage }>(): Column<T>[] {
  return [
    column('input', 'Input tokens', row => row.usage?.input_tokens),
    column('output', 'Output tokens', row => row.usage?.output_tokens),
  ];
}

function column<T>(key: string, title: string, tokens: (row: T) => string | undefined): Column<T> {
  return { key, title, cell: row => <Count of={tokens(row) ?? 0} />, numeric: true, wide: true };
}
