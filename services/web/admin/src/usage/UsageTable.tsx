import { UnstyledButton } from '@mantine/core';
import {
  Count,
  DataTable,
  Empty,
  Money,
  nano,
  percent,
  shortDay,
  type List,
  type UsageRow,
} from '@llm-platform/shared';
import { measured, type Measure } from '@llm-platform/shared/charts';
import { ChartColumn, ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { tokenColumns } from '../display/tokenColumns';
import { Name } from '../names/Name';
import { dimensionOf, valueOf, type Dimension } from './dimensions';
import classes from './Usage.module.css';

interface UsageTableProps {
  list: List<UsageRow>;
  by: Dimension;
  measure: Measure;
  /** Of everything in the report, for the shares. */
  total: bigint;
  onOpen: (value: string) => void;
  filters: ReactNode;
}

/** One row for each organisation, team, … ; a click goes into it. */
export function UsageTable({ list, by, measure, total, onOpen, filters }: UsageTableProps) {
  const dimension = dimensionOf(by)!;
  return (
    <DataTable
      label={`Usage by ${dimension.label.toLowerCase()}`}
      list={list}
      filters={filters}
      rowKey={row => valueOf(row, by) || 'none'}
      columns={[
        {
          key: 'name',
          title: dimension.label,
          cell: row => {
            const value = valueOf(row, by);
            if (!value) return <span className={classes.none}>None</span>;
            if (by === 'day') return shortDay(value);
            return (
              <UnstyledButton className={classes.open} onClick={() => onOpen(value)}>
                <Labelled by={by} value={value} />
                <ChevronRight size={14} aria-hidden />
              </UnstyledButton>
            );
          },
        },
        {
          key: 'requests',
          title: 'Requests',
          cell: row => <Count of={row.requests} />,
          numeric: true,
          wide: true,
        },
        ...tokenColumns<UsageRow>(),
        { key: 'cost', title: 'Cost', cell: row => <Money amount={row.cost} />, numeric: true },
        {
          key: 'share',
          title: 'Share',
          cell: row => <Share part={measured(row, measure)} whole={total} />,
        },
      ]}
      empty={
        <Empty icon={ChartColumn} title="Nothing was used">
          No calls match in this time.
        </Empty>
      }
    />
  );
}

export function Labelled({ by, value }: { by: Dimension; value: string }) {
  if (by === 'provider' || by === 'model' || by === 'day')
    return <span className={classes.value}>{value}</span>;
  return <Name kind={by} id={value} />;
}

function Share({ part, whole }: { part: bigint; whole: bigint }) {
  const share = percent(part, whole);
  const words = nano(whole) === 0n ? '–' : `${share < 10 ? share.toFixed(1) : Math.round(share)} %`;
  return (
    <div className={classes.share}>
      <div className={classes.track} aria-hidden>
        <div style={{ width: `${Math.min(100, Math.max(0, share))}%` }} />
      </div>
      <span className="numeric">{words}</span>
    </div>
  );
}
