//! Values in and out.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::{Currency, PlanId, Sealed, Ts};
use serde_json::json;
use store::{StoreError, Value, any_of, args};
use uuid::Uuid;

use crate::{AMONG, FIND_EVERYTHING, INSERT_EVERYTHING, INSERT_PLAN, engines};

#[tokio::test]
async fn every_kind_of_value_reads_back() {
    for test in engines().await {
        let db = &test.db;
        let cases = [
            (true, i64::MAX, 0.1, "größe ☂", vec![0, 1, 255], json!({"a": [1, null]})),
            (false, i64::MIN, -1e300, "", vec![], json!("text")),
            (true, 0, 0.0, "it's $1", b"'; --".to_vec(), json!(7)),
        ];
        let moments = [1_772_357_400_123_456, -1, 0];
        let nets = ["2001:db8::7/56", "10.1.2.3/24", "192.0.2.1/32"];
        let cases = cases.into_iter().zip(moments).zip(nets);
        for (((flag, whole, part, words, raw, doc), moment), net) in cases {
            let id = Uuid::now_v7();
            let net: IpNetwork = net.parse().unwrap();
            let given =
                args![id, flag, whole, part, words, raw.clone(), Ts(moment), doc.clone(), net];
            assert_eq!(db.execute(&INSERT_EVERYTHING, given).await.unwrap(), 1);
            let row = db.fetch_one(&FIND_EVERYTHING, args![id]).await.unwrap();
            assert_eq!(row.get::<Uuid>("id").unwrap(), id);
            assert_eq!(row.get::<bool>("flag").unwrap(), flag);
            assert_eq!(row.get::<i64>("whole").unwrap(), whole);
            assert_eq!(row.get::<f64>("part").unwrap(), part);
            assert_eq!(row.get::<String>("words").unwrap(), words);
            assert_eq!(row.get::<Vec<u8>>("raw").unwrap(), raw);
            assert_eq!(row.get::<Ts>("moment").unwrap(), Ts(moment));
            assert_eq!(row.get::<serde_json::Value>("doc").unwrap(), doc);
            assert_eq!(row.get::<IpNetwork>("net").unwrap(), net);
            assert_eq!(row.get::<Option<Ts>>("moment").unwrap(), Some(Ts(moment)));
        }
    }
}

#[tokio::test]
async fn every_kind_of_null_reads_back_as_none() {
    for test in engines().await {
        let id = Uuid::now_v7();
        let given = args![
            id,
            None::<bool>,
            None::<i64>,
            None::<f64>,
            None::<String>,
            None::<Vec<u8>>,
            None::<Ts>,
            None::<serde_json::Value>,
            None::<IpNetwork>
        ];
        test.db.execute(&INSERT_EVERYTHING, given).await.unwrap();
        let row = test.db.fetch_one(&FIND_EVERYTHING, args![id]).await.unwrap();
        assert_eq!(row.get::<Option<bool>>("flag").unwrap(), None);
        assert_eq!(row.get::<Option<i64>>("whole").unwrap(), None);
        assert_eq!(row.get::<Option<f64>>("part").unwrap(), None);
        assert_eq!(row.get::<Option<String>>("words").unwrap(), None);
        assert_eq!(row.get::<Option<Vec<u8>>>("raw").unwrap(), None);
        assert_eq!(row.get::<Option<Ts>>("moment").unwrap(), None);
        assert_eq!(row.get::<Option<serde_json::Value>>("doc").unwrap(), None);
        assert_eq!(row.get::<Option<IpNetwork>>("net").unwrap(), None);

        // A NULL id has to be a UUID to Postgres, or the comparison would not be understood.
        let none = test.db.fetch_optional(&FIND_EVERYTHING, args![None::<Uuid>]).await.unwrap();
        assert!(none.is_none());
    }
}

#[tokio::test]
async fn the_vocabulary_of_the_model_binds_and_reads() {
    for test in engines().await {
        let id = PlanId::generate();
        let address: IpAddr = "192.0.2.9".parse().unwrap();
        let given = args![
            id,
            true,
            u64::MAX,
            1.5,
            Sealed("1.k.abc".to_owned()),
            Value::Bytes(None),
            Ts(5),
            json!({}),
            address
        ];
        test.db.execute(&INSERT_EVERYTHING, given).await.unwrap();
        let row = test.db.fetch_one(&FIND_EVERYTHING, args![id]).await.unwrap();
        assert_eq!(row.get::<PlanId>("id").unwrap(), id);
        assert_eq!(row.get::<u64>("whole").unwrap(), i64::MAX as u64);
        assert_eq!(row.get::<Sealed>("words").unwrap(), Sealed("1.k.abc".to_owned()));
        assert_eq!(row.get::<IpAddr>("net").unwrap(), address);

        let second = Uuid::now_v7();
        let usd: Currency = "USD".parse().unwrap();
        let network: IpNetwork = "10.0.0.0/8".parse().unwrap();
        let given =
            args![second, true, 70_000, 1.5, usd, Value::Bytes(None), Ts(5), json!({}), network];
        test.db.execute(&INSERT_EVERYTHING, given).await.unwrap();
        let row = test.db.fetch_one(&FIND_EVERYTHING, args![second]).await.unwrap();
        assert_eq!(row.get::<Currency>("words").unwrap(), usd);
        assert_eq!(row.get::<u32>("whole").unwrap(), 70_000);
        let wide = row.get::<IpAddr>("net").unwrap_err().to_string();
        assert_eq!(wide, "FIND_EVERYTHING: column net: expected one address, found a /8");
    }
}

#[tokio::test]
async fn a_column_that_does_not_fit_is_named() {
    for test in engines().await {
        let id = Uuid::now_v7();
        let given = args![
            id,
            None::<bool>,
            70_000,
            None::<f64>,
            "words",
            None::<Vec<u8>>,
            None::<Ts>,
            None::<serde_json::Value>,
            None::<IpNetwork>
        ];
        test.db.execute(&INSERT_EVERYTHING, given).await.unwrap();
        let row = test.db.fetch_one(&FIND_EVERYTHING, args![id]).await.unwrap();
        let said = |result: Result<u16, StoreError>| result.unwrap_err().to_string();
        assert_eq!(
            said(row.get("whole")),
            "FIND_EVERYTHING: column whole: expected an integer from 0 to 65535, \
             found a value that does not fit"
        );
        assert_eq!(
            said(row.get("words")),
            "FIND_EVERYTHING: column words: expected an integer from 0 to 65535, found text"
        );
        assert_eq!(
            said(row.get("flag")),
            "FIND_EVERYTHING: column flag: expected an integer from 0 to 65535, found NULL"
        );
        assert_eq!(
            said(row.get("wohle")),
            "FIND_EVERYTHING: column wohle: expected an integer from 0 to 65535, \
             found no such column"
        );
        assert!(row.get::<Option<u16>>("wohle").is_err());
    }
}

#[tokio::test]
async fn a_list_of_ids_is_one_argument() {
    for test in engines().await {
        let db = &test.db;
        let mut ids = Vec::new();
        for name in ["one", "two", "three"] {
            let id = PlanId::generate();
            db.execute(&INSERT_PLAN, args![id, name]).await.unwrap();
            ids.push(id);
        }
        let names = |rows: Vec<store::Row>| -> Vec<String> {
            rows.iter().map(|row| row.get("name").unwrap()).collect()
        };
        let wanted = ids[..2].to_vec();
        let rows = db.fetch_all(&AMONG, args![wanted.clone()]).await.unwrap();
        assert_eq!(names(rows), ["one", "two"]);
        assert!(db.fetch_all(&AMONG, args![Vec::<PlanId>::new()]).await.unwrap().is_empty());

        let mut built = store::Args::new();
        let number = built.push(wanted);
        let condition = any_of(db.engine(), "id", number);
        let other = built.push("two");
        let sql = format!("SELECT name FROM plan WHERE {condition} AND name <> ${other}");
        assert_eq!(names(db.dynamic_all(&sql, built).await.unwrap()), ["one"]);
    }
}

#[tokio::test]
async fn too_few_or_too_many_arguments_are_refused() {
    for test in engines().await {
        for given in [args![Uuid::now_v7()], args![Uuid::now_v7(), "a", "b"]] {
            let error = test.db.execute(&INSERT_PLAN, given).await.unwrap_err();
            assert!(matches!(error, StoreError::Database { .. }), "{error:?}");
        }
    }
}
