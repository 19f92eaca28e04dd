// What a dashboard of ours is, in the words of Grafana's published schema (`@grafana/schema`), as plain JSON has them.
import type * as dashboard from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as heatmap from './node_modules/@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
import type * as stat from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as timeline from './node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as table from './node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeseries from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

/** In JSON a member of an enumeration is its text. */
type Plain<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Plain<Item>[]
    : T extends object
      ? { [Key in keyof T]: Plain<T[Key]> }
      : T;

type Config<Custom> = Omit<dashboard.FieldConfigSource, 'defaults'> & {
  defaults: Omit<dashboard.FieldConfig, 'custom'> & { custom?: Custom };
};

type Of<Type extends string, Options, Custom> = Omit<dashboard.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type;
  options: Options;
  fieldConfig: Config<Custom>;
  targets: Target[];
};

/** The schema leaves queries to their data sources; this is what Prometheus' takes. */
interface Target {
  refId: string;
  datasource: dashboard.DataSourceRef;
  editorMode: 'code' | 'builder';
  expr: string;
  format: 'time_series' | 'table' | 'heatmap';
  legendFormat: string;
  instant: boolean;
  range: boolean;
  exemplar: boolean;
}

/** Likewise of annotations. */
interface FromPrometheus extends dashboard.AnnotationQuery {
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  useValueForTime?: boolean;
}

type Panel =
  | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | Of<'stat', stat.Options, never>
  | Of<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | Of<'state-timeline', timeline.Options, timeline.FieldConfig>
  | Of<'table', table.Options, table.FieldConfig>
  | dashboard.RowPanel;

export type Dashboard = Plain<
  Required<Omit<dashboard.Dashboard, 'panels' | 'annotations' | 'gnetId' | 'id' | 'revision' | 'snapshot' | Unused>> & {
    panels: Panel[];
    annotations: { list: FromPrometheus[] };
  }
>;
type Unused = 'fiscalYearStartMonth' | 'liveNow' | 'preload' | 'weekStart';
