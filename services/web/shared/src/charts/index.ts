export { DayChart } from './DayChart';
export { measured, measureOf, MEASURES, seriesByDay, type Measure, type Series } from './series';
