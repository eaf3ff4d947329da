//! The columns of the table of containers, in their order.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Name,
    Runtime,
    Id,
    Memory,
    Limit,
    Used,
    OomKills,
    What,
}

impl Column {
    pub const ALL: [Self; 8] =
        [Self::Name, Self::Runtime, Self::Id, Self::Memory, Self::Limit, Self::Used, Self::OomKills, Self::What];

    const fn title(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Runtime => "RUNTIME",
            Self::Id => "ID",
            Self::Memory => "MEMORY",
            Self::Limit => "LIMIT",
            Self::Used => "USED",
            Self::OomKills => "OOM KILLS",
            Self::What => "WHAT",
        }
    }

    /// It holds numbers, which stand to the right.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Memory | Self::Limit | Self::Used | Self::OomKills)
    }
}

/// A line of the table: what stands in each column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    pub name: String,
    pub runtime: String,
    pub id: String,
    pub memory: String,
    pub limit: String,
    pub used: String,
    pub oom_kills: String,
    pub what: String,
}

impl Cells {
    /// The line above all others.
    pub fn titles() -> Self {
        let title = |column: Column| column.title().to_owned();
        Self {
            name: title(Column::Name),
            runtime: title(Column::Runtime),
            id: title(Column::Id),
            memory: title(Column::Memory),
            limit: title(Column::Limit),
            used: title(Column::Used),
            oom_kills: title(Column::OomKills),
            what: title(Column::What),
        }
    }

    pub fn of(&self, column: Column) -> &str {
        match column {
            Column::Name => &self.name,
            Column::Runtime => &self.runtime,
            Column::Id => &self.id,
            Column::Memory => &self.memory,
            Column::Limit => &self.limit,
            Column::Used => &self.used,
            Column::OomKills => &self.oom_kills,
            Column::What => &self.what,
        }
    }
}
