import { Skeleton } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { DayChartProps } from './DayChart';

export { measured, seriesByDay, type Measure, type Series } from './series';

const Loaded = lazy(() => import('./DayChart'));

/** Values by day. The code that draws comes when the first chart is shown. */
export function DayChart(props: DayChartProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 260} radius="md" />}>
      <Loaded {...props} />
    </Suspense>
  );
}
